"""How every driver answers: one JSON object on standard output, and an exit status."""

import asyncio
import inspect
import json
import sys
import traceback


def run(work, args):
    """Calls work(args), a function or a coroutine function, and prints the dictionary it returns.

    What it raises is the client's refusal: it is printed whole, as a user would have seen it.
    """
    try:
        result = work(args)
        if inspect.isawaitable(result):
            result = asyncio.run(_wait(result))
        answer = {"ok": True, **result}
    except Exception as err:
        traceback.print_exc()
        answer = {"ok": False, "error": str(err), "kind": type(err).__name__}
    json.dump(answer, sys.stdout, indent=1, sort_keys=True)
    print(flush=True)
    sys.exit(0 if answer["ok"] else 1)


async def _wait(awaitable):
    return await awaitable
