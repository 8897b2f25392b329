"""Files: into the container, out of it, and on from where a client was cut off."""
