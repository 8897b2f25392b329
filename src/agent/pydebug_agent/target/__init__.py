"""The application's container: its processes, which of them are Pythons, and one request about them."""
