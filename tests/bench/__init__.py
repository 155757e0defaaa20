"""What the project promises, in numbers: `python -m tests.bench [cost] [stops] [crash] [frozen] [many] [gate]`.

Everything runs on loopback of this machine, bounded in time and count. The suite proves what is right; how fast and
how cheap it is stands here alone, so that no test depends on time. Processes are read through /proc: Linux only.
"""
