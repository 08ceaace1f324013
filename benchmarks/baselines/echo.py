"""The floor: `websockets` sends each frame back. `python -m benchmarks.baselines.echo PORT`."""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve


async def echo(connection: ServerConnection) -> None:
    async for text in connection:
        await connection.send(text)


async def main(port: int) -> None:
    async with serve(echo, "127.0.0.1", port, subprotocols=["ocpp1.6"], compression=None) as server:  # type: ignore[list-item]
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
