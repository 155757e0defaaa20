"""The files under deploy/ fit the service as it is without settings."""

import re

from service.config import Config
from service.gateway.exchange import MAX_BODY_BYTES
from tests.deploy.envoy import CONFIGURATION
from tests.deploy.nginx import SITE

NGINX, ENVOY = SITE.read_text("utf-8"), CONFIGURATION.read_text("utf-8")
CONFIG = Config()


def seconds(pattern: str, text: str) -> list[int]:
    """The times that stand where the pattern has its group."""
    return [int(each) for each in re.findall(pattern, text)]


def test_they_lead_to_where_the_service_and_the_gateway_are() -> None:
    assert re.findall(r"server (127\S+);", NGINX) == [CONFIG.http_address, CONFIG.grpc_address]
    addresses = re.findall(r"address: (127\S+), port_value: (\d+)", ENVOY)
    assert [":".join(each) for each in addresses] == [CONFIG.http_address, CONFIG.grpc_address]


def test_they_outwait_the_longest_run_and_four_pings() -> None:
    (proxied, streamed), (called,) = (
        seconds(r" proxy_read_timeout (\d+)s", NGINX),
        seconds(r" grpc_read.*? (\d+)", NGINX),
    )
    (idle,), (stream_idle,) = seconds(r" stream_idle_timeout: (\d+)s", ENVOY), seconds(r" idle_timeout: (\d+)s", ENVOY)
    assert {proxied, called, idle} == {CONFIG.run_timeout_seconds + 30}
    assert {streamed, stream_idle} == {4 * CONFIG.heartbeat_seconds}


def test_they_take_bodies_as_large_as_the_gateway_does() -> None:
    assert MAX_BODY_BYTES == 1024 * 1024
    assert "client_max_body_size 1m;" in NGINX
    for text in (NGINX, ENVOY):
        assert f"The body is larger than {MAX_BODY_BYTES} bytes." in text
    assert f"max_request_bytes: {MAX_BODY_BYTES}" in ENVOY


def test_envoy_ends_no_answer_by_the_clock_and_repeats_no_request() -> None:
    assert ENVOY.count("route: {cluster: ") == ENVOY.count(", timeout: 0s") == 3
    assert not re.search(r"^[^#]*\bretry_policy", ENVOY, re.MULTILINE)
    assert "max_stream_duration" not in ENVOY
