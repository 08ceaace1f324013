"""The sockets of this process."""


class Gateway:
    async def stop(self) -> None:
        """Close all sockets."""
