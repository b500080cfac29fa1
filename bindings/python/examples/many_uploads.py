"""Many uploads at once with asyncio, on one thread.

    many_uploads.py CONFIG FILE PREFIX [COUNT]      uploads FILE as PREFIX0, PREFIX1 … (default 100)

Any number may be started: max_concurrent_uploads of the client run, the others wait for their turn.
"""

import asyncio
import sys

import us3


async def upload(client: us3.Client, path: str, key: str) -> bool:
    try:
        await client.upload_async(key, file_path=path, timeout_ms=60_000)
    except us3.Error as error:
        print(f"{key}: {error}", file=sys.stderr)
        return False
    return True


async def main(config: str, path: str, prefix: str, count: int) -> int:
    async with us3.Client.from_file(config) as client:
        stored = await asyncio.gather(*(upload(client, path, f"{prefix}{number}") for number in range(count)))
    print(f"{sum(stored)} of {count} uploads stored")
    return 0 if all(stored) else 1


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(f"usage: {sys.argv[0]} CONFIG FILE PREFIX [COUNT]")
    sys.exit(asyncio.run(main(*sys.argv[1:4], int(sys.argv[4]) if len(sys.argv) == 5 else 100)))
