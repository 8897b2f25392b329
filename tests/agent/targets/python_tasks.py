"""Tasks of asyncio's class that is written in Python.

Beside those in C, instead of them, or alone, without _asyncio.
"""
import json
import sys

how = sys.argv[1]
if how == "alone":
    sys.modules["_asyncio"] = None
import asyncio

if how == "instead":
    asyncio.Task = asyncio.tasks._CTask = asyncio.tasks.Task = asyncio.tasks._PyTask
    asyncio.Future = asyncio.futures._CFuture = asyncio.futures.Future = asyncio.futures._PyFuture


async def ask(gate):
    await gate.wait()


async def pay(gate):
    await ask(gate)


async def nap():
    await asyncio.sleep(3600)


async def parent(child):
    await child


async def main():
    loop, gate, make = asyncio.get_running_loop(), asyncio.Event(), asyncio.tasks._PyTask
    made = [make(pay(gate), loop=loop, name="pay-%d" % number) for number in (1, 2)]
    made += [asyncio.create_task(nap(), name="nap-%d" % number) for number in (1, 2)]
    child = make(ask(gate), loop=loop, name="child")
    made.append(make(parent(child), loop=loop, name="parent"))
    await asyncio.sleep(0)
    names = [task.get_name() for task in made + [child]]
    print(json.dumps(sorted(names)), flush=True)
    await asyncio.gather(*made)


asyncio.run(main())
