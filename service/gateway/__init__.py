"""The HTTP gateway: routes from the protos, JSON for single answers, Server-Sent Events for streams.

It is a gRPC client of the services behind it and knows of them what their protos say: google.api.http and
fabula.gateway.v1. A new RPC needs no line here.
"""
