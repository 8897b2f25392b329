"""Runs Python source inside a live CPython, without gdb or breakpoints; our end at any moment harms nobody.

A thread of the target is stopped for some microseconds at a point where it holds no lock, and is sent through a chain
of calls that ends, by itself, exactly where the thread was: each link is a signal frame on its own stack that
rt_sigreturn, the kernel's way out of a signal handler, puts into effect. Nobody has to wait for the calls or clean up
after them. All the chain does is make one new thread, asleep. What takes time, and the GIL, runs on that one.
"""
