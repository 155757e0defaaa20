"""`python -m service`: serves until SIGTERM or SIGINT, then stops gracefully; a second signal stops at once."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, TextIO

import structlog

from service.config import Config, load_config
from service.errors import ConfigError, StoreUnavailable
from service.logs import configure_logs

_log = structlog.get_logger("fabula")
_USUAL = Config.model_fields["grpc_address"].default


def main() -> int:
    """Returns the exit code: 0 after a stop, 2 when the configuration can't be served."""
    try:
        config = load_config()
        configure_logs(config.log_level)
        asyncio.run(serve(config))
    except (ConfigError, StoreUnavailable) as error:
        problems = error.problems if isinstance(error, ConfigError) else (error.message,)
        for problem in problems:
            _say(f"fabula: {problem}", sys.stderr)
        return 2
    return 0


async def serve(config: Config) -> None:
    """Serves until it is told to stop."""
    # Opened here and not above: bad configuration is told at once, without waiting for LangGraph to load.
    from service.bootstrap import open_app  # noqa: PLC0415

    stop, stop_now = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        (stop_now if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    async with open_app(config) as app:
        host = config.grpc_address.rpartition(":")[0]
        address = f"{host}:{app.server.port}"
        http_port = app.http.port if app.http is not None else 0
        _log.info("serving", address=address, port=app.server.port, http_port=http_port, model=app.model.name)
        _say(f"Fabula tells stories on {address}, by {app.model.name}.")
        if app.http is not None:
            _say(f"Read them in a browser: {app.http.url}")
        for line in how_to_ask(config, address):
            _say(line)
        await stop.wait()
        grace = config.shutdown_grace_seconds
        _log.info("stopping", grace_seconds=grace, active_runs=len(app.runner.active_runs))
        await _first(app.stop(grace), stop_now.wait())
        if stop_now.is_set():
            await app.stop(0)
    _log.info("stopped")


def how_to_ask(config: Config, address: str) -> Sequence[str]:
    """How the person who starts it gets a story told, line by line."""
    if not config.has_keys:
        return [
            "No keys are configured: whoever works on this machine may do everything.",
            f"Ask for one in another terminal: make story{'' if address == _USUAL else f' ADDRESS={address}'}",
        ]
    if config.auth_secret is None:
        return []  # whoever holds the private key makes the tokens, and knows how
    return ["Get a token in another terminal, with the same FABULA_AUTH_ variables: .venv/bin/fabula token ACCOUNT"]


def _say(line: str, stream: TextIO = sys.stdout) -> None:
    """For the person who starts it; what a program reads is in the log."""
    print(line, file=stream, flush=True)


async def _first(*works: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


if __name__ == "__main__":
    sys.exit(main())
