"""Tasks of every shape in two event loops, and what asyncio says about them."""
import asyncio
import json
import sys
import threading

released = []


async def leaf():
    await asyncio.sleep(3600)


async def middle():
    await leaf()


async def generator():
    await asyncio.sleep(3600)
    yield 1


async def from_generator():
    async for _ in generator():
        pass


async def awaits(task):
    await task


async def lock(held):
    async with held:
        pass


async def from_queue(queue):
    await queue.get()


async def gathers():
    await asyncio.gather(*[asyncio.ensure_future(named(leaf(), "gathered-%d" % number)) for number in range(3)])


def named(coroutine, name):
    return asyncio.get_running_loop().create_task(coroutine, name=name)


async def waits_for_any(tasks):
    await asyncio.wait(tasks)


async def group():
    async with asyncio.TaskGroup() as tasks:
        for number in range(2):
            tasks.create_task(middle(), name="grouped-%d" % number)


async def in_thread():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def event():
    await asyncio.wait_for(asyncio.Event().wait(), 3600)


async def finished():
    return 1


def chain(task):
    """What cr_await says, as far as it goes: it stops at asynchronous generators."""
    rows = []
    awaited = task.get_coro()
    while awaited is not None:
        if getattr(awaited, "cr_frame", None):
            rows.append([awaited.cr_code.co_qualname, awaited.cr_frame.f_lineno])
            awaited = awaited.cr_await
        elif getattr(awaited, "gi_frame", None):
            rows.append([awaited.gi_code.co_qualname, awaited.gi_frame.f_lineno])
            awaited = awaited.gi_yieldfrom
        else:
            break
    return rows


async def main(count):
    held = asyncio.Lock()
    await held.acquire()
    workers = [named(middle(), "worker-中-%d" % number) for number in range(count)]
    waited = [named(leaf(), "waited-%d" % number) for number in range(2)]
    others = [
        named(awaits(workers[0]), "awaits"),
        named(lock(held), "lock"),
        named(from_queue(asyncio.Queue()), "queue"),
        named(from_generator(), "generator"),
        named(gathers(), "gather"),
        named(waits_for_any(waited), "wait"),
        named(group(), "group"),
        named(in_thread(), "thread"),
        named(event(), "event"),
        named(finished(), "finished"),
    ]
    await asyncio.sleep(0.3)
    released.append(others)
    current = asyncio.current_task()
    print(json.dumps({task.get_name(): chain(task) for task in asyncio.all_tasks() if task is not current}), flush=True)
    await asyncio.sleep(3600)


def second_loop():
    async def elsewhere():
        await leaf()

    asyncio.run(elsewhere())


threading.Thread(target=second_loop, name="second", daemon=True).start()
asyncio.run(main(int(sys.argv[1])))
