"""A loop that never sleeps: every task changes its chain all the time."""
import asyncio
import json
import sys


async def a3():
    await asyncio.sleep(0)


async def a2():
    await a3()


async def a1():
    await a2()


async def b3():
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 1)
    await future


async def b2():
    await b3()


async def b1():
    await b2()


async def child():
    await asyncio.sleep(0)


async def both():
    await asyncio.gather(child(), child())


async def worker(number):
    while True:
        await a1()
        await b1()
        if number % 7 == 0:
            await both()


async def main():
    tasks = [asyncio.get_running_loop().create_task(worker(number)) for number in range(int(sys.argv[1]))]
    print(json.dumps(len(tasks)), flush=True)
    await asyncio.sleep(3600)


asyncio.run(main())
