"""Runs a program that ends when the process that started it ends, however that ends.

usage: watched.py PROGRAM ARGUMENT...     stdin is a pipe that the starting process holds open

The program keeps this process's id, its output and its signals. A child waits for the end of the pipe,
which comes even when the starting process is killed, and then kills the program.
"""

import os
import signal
import sys

program = os.getpid()
if os.fork() == 0:
    # Ctrl-C reaches the whole process group; the watcher must outlive the program.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.closerange(1, 64)
    while os.read(0, 4096):
        pass
    # If the program has ended, its id may belong to another one by now.
    if os.getppid() == program:
        os.kill(program, signal.SIGKILL)
    os._exit(0)

os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.execv(sys.argv[1], sys.argv[1:])
