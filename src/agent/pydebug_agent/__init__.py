"""PyDebug's agent: what runs inside the debug container, for the length of one request."""
