"""Two call chains in turn, as fast as they go: a reader that mixes two moments shows one that never was."""
import json


def a3():
    total = 0
    for value in range(20):
        total += value
    return total


def a2():
    return a3()


def a1():
    return a2()


def b3():
    total = 0
    for value in range(20):
        total += value
    return total


def b2():
    return b3()


def b1():
    return b2()


def main():
    print(json.dumps("ready"), flush=True)
    while True:
        a1()
        b1()


main()
