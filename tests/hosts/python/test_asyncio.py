"""Uploads in asyncio."""

import asyncio

import support
import us3
from support import MIB


class Asyncio(support.TestCase):
    def test_an_upload_is_awaited(self):
        async def main():
            return await self.client().upload_async("k", data=b"x", policy_json=support.policy("awaited"))

        result = asyncio.run(main(), debug=True)
        self.assertIs(result.callback_state, us3.CallbackState.DELIVERED)

    def test_errors_are_raised_where_it_is_awaited(self):
        async def main():
            with self.assertRaises(us3.CallbackFailedError):
                await self.client().upload_async("k", data=b"x", policy_json=support.policy_down())
            with self.assertRaises(us3.FileError):
                await self.client().start("k", file_path="/no/such/file")

        asyncio.run(main())

    def test_200_uploads_on_one_loop_without_a_thread_each(self):
        client = self.client(max_concurrent_uploads=8)
        client.upload("warm", data=b"x")
        before, descriptors = support.threads(), support.descriptors()
        most = 0
        path = support.file("small", 10000)
        support.rule(call="put", fault={"stall": {"ms": 20}})

        async def watch():
            nonlocal most
            while True:
                most = max(most, support.threads())
                await asyncio.sleep(0.02)

        async def main():
            watcher = asyncio.ensure_future(watch())
            results = await asyncio.gather(*(client.upload_async(f"many/{n}", file_path=path) for n in range(200)))
            watcher.cancel()
            return results

        self.assertEqual(len(asyncio.run(main())), 200)
        self.assertEqual(len(support.state()["objects"]), 201)
        # Reading files takes a few for each upload that has its turn, and no more.
        self.assertLessEqual(most, before + 24)
        self.assertLessEqual(support.descriptors(), descriptors + 10)

    def test_the_loop_goes_on_meanwhile(self):
        support.rule(call="put", fault={"stall": {"ms": 300}})
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        async def main():
            ticker = asyncio.ensure_future(tick())
            await self.client().upload_async("k", data=b"x")
            ticker.cancel()

        asyncio.run(main())
        self.assertGreater(ticks, 10)

    def test_cancelling_cancels_the_upload_and_waits_for_its_end(self):
        support.rule(call="part", part=1, fault={"stall": {}})
        support.rule(call="abort", fault={"stall": {"ms": 300}})
        client = self.client()

        async def main():
            uploading = asyncio.ensure_future(client.upload_async("k", data=bytes(9 * MIB), mode="mput"))
            while support.stalled() == 0:
                await asyncio.sleep(0.01)
            uploading.cancel()
            await asyncio.sleep(0.05)
            # Impatience does not make it end half-way.
            uploading.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await uploading
            self.assertEqual(support.state()["uploads"], [])

        asyncio.run(main())

    def test_a_client_that_is_left_waits_beside_the_loop(self):
        support.rule(call="put", fault={"stall": {"ms": 300}})

        async def leave():
            async with us3.Client(**support.config()) as client:
                return client.start("k", data=b"x")

        async def main():
            leaving = asyncio.ensure_future(leave())
            ticks = 0
            while not leaving.done():
                ticks += 1
                await asyncio.sleep(0.01)
            self.assertGreater(ticks, 10)
            self.assertIs((await leaving.result()).object_state, us3.ObjectState.STORED)
            leaving.result().close()

        asyncio.run(main())

    def test_a_timeout_of_asyncio(self):
        support.rule(call="put", fault={"stall": {}})

        async def main():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(self.client().upload_async("k", data=b"x"), 0.2)

        asyncio.run(main())
        self.assertEqual(support.state()["objects"], [])

    def test_a_task_is_awaited_by_many(self):
        support.rule(call="put", fault={"stall": {"ms": 100}})

        async def main():
            with self.client().start("k", data=b"x") as task:

                async def wait():
                    return (await task).etag

                self.assertEqual(len(set(await asyncio.gather(*(wait() for _ in range(10))))), 1)

        asyncio.run(main())

    def test_a_task_closed_while_it_is_awaited(self):
        support.rule(call="put", fault={"stall": {}})

        async def main():
            task = self.client().start("k", data=b"x")

            async def wait():
                await task

            waiting = asyncio.ensure_future(wait())
            await asyncio.sleep(0.05)
            task.close()
            with self.assertRaises((us3.CancelledError, ValueError)):
                await asyncio.wait_for(waiting, 5)

        asyncio.run(main(), debug=True)

    def test_without_a_descriptor_left_it_ends_all_the_same(self):
        status, output = support.program("""
            import resource
            support.rule(call="put", fault={"stall": {"ms": 200}})
            client = us3.Client(**support.config())
            client.upload("warm", data=b"x")

            async def main():
                uploading = [client.start(f"k{n}", data=b"x") for n in range(2)]
                resource.setrlimit(resource.RLIMIT_NOFILE, (support.descriptors() + 1, 4096))
                held = []
                try:
                    while True:
                        held.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    pass
                for task in uploading:
                    try:
                        await task
                    except us3.Error as error:
                        # A connection needs a descriptor too.
                        assert isinstance(error, us3.NetworkError), error
                    task.close()
                for descriptor in held:
                    os.close(descriptor)

            asyncio.run(main())
            client.close()
        """)
        self.assertEqual((status, output), (0, ""))
