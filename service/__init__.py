"""Fabula's service. What libraries would read from the environment when they are imported is settled here first."""

import os

# An environment set up for tracing would have LangChain send every prompt and answer elsewhere.
os.environ["LANGSMITH_TRACING_V2"] = "false"
# gRPC's core writes lines of its own among the log's. What matters of them comes as an error.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
