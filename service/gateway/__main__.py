"""`python -m service.gateway`: the gateway alone, in front of the service at FABULA_GATEWAY_TARGET."""

import asyncio
import signal
import sys

import structlog

from service.addresses import is_loopback
from service.config import NO_GATEWAY, Config, load_config
from service.errors import ConfigError
from service.gateway.opening import open_gateway
from service.logs import configure_logs

_log = structlog.get_logger("fabula")


def main() -> int:
    """Returns the exit code: 0 after a stop, 2 when the configuration can't be served."""
    try:
        config = load_config()
        configure_logs(config.log_level)
        asyncio.run(serve(config))
    except ConfigError as error:
        for problem in error.problems:
            print(f"fabula: {problem}", file=sys.stderr)  # noqa: T201 -- for the person who starts it
        return 2
    return 0


async def serve(config: Config) -> None:
    """Serves until it is told to stop; streams under way then end with the hint to come back."""
    if config.http_address == NO_GATEWAY:
        raise ConfigError([f"FABULA_HTTP_ADDRESS: {NO_GATEWAY} leaves nothing to serve"])
    if not is_loopback(config.http_address) and not config.http_hosts:
        # The service behind may have no keys, and then takes whatever comes from this machine for its own.
        raise ConfigError([f"FABULA_HTTP_HOSTS: expected the names that {config.http_address} is called by"])
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    target = config.gateway_target or config.grpc_address
    async with open_gateway(config, target) as server:
        _log.info("serving", http_port=server.port, target=target)
        print(f"Fabula's gateway is on {server.url}, in front of {target}.", flush=True)  # noqa: T201 -- as above
        await stop.wait()
        _log.info("stopping")
    _log.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
