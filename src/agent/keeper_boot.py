"""pydebug-keeper: holds the debug container open. What it does, and when it ends, is in its variable PYDEBUG_KEEPER."""
import posix
for part in posix.environ.pop(b"PYDEBUG_KEEPER").split(b"\n\n\n"):
    exec(part)
