"""What the MQTT tests listen with."""

import asyncio


class Recorder:
    """A Listener that keeps what it hears, as `("up",)`, `("down", reason)`, `(topic, payload)` and `("puback", token)`."""

    def __init__(self):
        self.heard = []
        self._changed = asyncio.Event()

    def mqtt_connected(self):
        self._hear("up")

    def mqtt_disconnected(self, reason):
        self._hear("down", reason)

    def mqtt_message(self, topic, payload):
        self._hear(topic, payload)

    def mqtt_published(self, token):
        self._hear("puback", token)

    @property
    def messages(self):
        return [event for event in self.heard if event[0] not in ("up", "down", "puback")]

    @property
    def pubacks(self):
        return [event[1] for event in self.heard if event[0] == "puback"]

    @property
    def ups(self):
        return self.heard.count(("up",))

    async def until(self, condition, limit_s=20.0):
        """Wait until `condition(self)`; TimeoutError names what was heard."""
        try:
            async with asyncio.timeout(limit_s):
                while not condition(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"heard {len(self.heard)} events, the last of them {self.heard[-10:]}") from None

    async def messages_heard(self, count):
        await self.until(lambda me: len(me.messages) >= count)
        return self.messages

    async def pubacks_heard(self, count):
        await self.until(lambda me: len(me.pubacks) >= count)
        return self.pubacks

    def _hear(self, *event):
        self.heard.append(event)
        self._changed.set()
