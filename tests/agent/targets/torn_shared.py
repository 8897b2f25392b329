"""Two call chains through one function: frames that are used again at once hide in nothing else."""
import json


def left():
    total = 0
    for value in range(20):
        total += value
    return total


def right():
    total = 0
    for value in range(20):
        total += value
    return total


def shared(function):
    return function()


def from_left():
    return shared(left)


def from_right():
    return shared(right)


def main():
    print(json.dumps("ready"), flush=True)
    while True:
        from_left()
        from_right()


main()
