"""What a process sees of its machine: /proc, memory, files, others; and what the standard library has, at less."""
