"""The kernel's BPF: its programs, what they share with this process, and how they come into the kernel."""
