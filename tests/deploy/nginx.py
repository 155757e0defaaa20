"""nginx as it is installed here, with the site file that we ship."""

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from tests.deploy.certificate import Certificate
from tests.deploy.proxy import ROOT, Behind, Make, Proxy, changed
from tests.tools import required

SITE = ROOT / "deploy" / "nginx" / "fabula.conf"

# A site is one of several: what others have set for all must not harm it.
MAIN = """
daemon off;
pid nginx.pid;
{user}
worker_processes 1;
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {common}
    include site.conf;
}}
"""
HOSTILE = "proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;"

DEFAULT_SITE = """
server {
    listen 443 ssl;
    ssl_certificate /etc/ssl/stories.example/fullchain.pem;
    ssl_certificate_key /etc/ssl/stories.example/privkey.pem;
    location / { proxy_pass http://127.0.0.1:8000; }
}
"""
"""What somebody writes who knows nothing of streams: buffered, and HTTP/1.0 to the gateway."""


@asynccontextmanager
async def shipped(
    behind: Behind, certificate: Certificate, directory: Path, changes: Mapping[str, str]
) -> AsyncIterator[Proxy]:
    """The site that we ship. Changed are ports and addresses, the certificate's paths and the log's alone."""
    with ExitStack() as stack:
        plain, tls = (stack.enter_context(_listener()) for _ in range(2))
        site = changed(
            SITE.read_text("utf-8"),
            {
                "listen 80;": f"listen {_address(plain)};",
                "listen [::]:80;": "",
                "    listen 443 ssl http2;": f"    listen {_address(tls)} ssl http2;",
                "listen [::]:443 ssl http2;": "",
                "server 127.0.0.1:8000;": f"server 127.0.0.1:{behind.gateway};",
                "server 127.0.0.1:50051;": f"server 127.0.0.1:{behind.service};",
                "/etc/ssl/stories.example/fullchain.pem": str(certificate.chain),
                "/etc/ssl/stories.example/privkey.pem": str(certificate.key),
                "/var/log/nginx/fabula.access.log": "/dev/stdout",
            }
            | dict(changes),
        )
        async with _running(directory, HOSTILE, site, plain, tls) as proxy:
            plain.close()
            tls.close()
            yield proxy


@asynccontextmanager
async def default(
    behind: Behind, certificate: Certificate, directory: Path, changes: Mapping[str, str]
) -> AsyncIterator[Proxy]:
    """A site that says nothing but where the gateway is."""
    with _listener() as tls:
        site = changed(
            DEFAULT_SITE,
            {
                "listen 443 ssl;": f"listen {_address(tls)} ssl;",
                "/etc/ssl/stories.example/fullchain.pem": str(certificate.chain),
                "/etc/ssl/stories.example/privkey.pem": str(certificate.key),
                "127.0.0.1:8000": f"127.0.0.1:{behind.gateway}",
            }
            | dict(changes),
        )
        async with _running(directory, "access_log off;", site, tls, tls) as proxy:
            tls.close()
            yield proxy


def _running(directory: Path, common: str, site: str, plain: socket.socket, tls: socket.socket) -> Proxy:
    user = "user root;" if os.geteuid() == 0 else ""  # nobody could not read what root's test has made
    (directory / "nginx.conf").write_text(MAIN.format(user=user, common=common), "utf-8")
    (directory / "site.conf").write_text(site, "utf-8")
    sockets = sorted({plain.fileno(), tls.fileno()})
    proxy = Proxy(
        *(required("nginx"), "-p", f"{directory}/", "-c", "nginx.conf", "-e", "stderr"),
        sockets=sockets,
        # nginx takes over sockets that listen, as it does when it is upgraded: no port can be lost to somebody else.
        environment={**os.environ, "NGINX": "".join(f"{each};" for each in sockets)},
    )
    proxy.plain_port, proxy.port = plain.getsockname()[1], tls.getsockname()[1]
    return proxy


def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=511)


def _address(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


def _impatient(seconds: int) -> Mapping[str, str]:
    return {
        "proxy_read_timeout 60s;": f"proxy_read_timeout {seconds}s;",
        "grpc_read_timeout 330s;": f"grpc_read_timeout {seconds}s;",
    }


NGINX = Make("nginx", shipped, _impatient)
