"""A program that uses the package with types; mypy --strict must find nothing in it, and reveal what it says."""

import asyncio
import io
from pathlib import Path
from typing import Optional

import us3


def show(progress: us3.Progress) -> None:
    total: Optional[int] = progress.total
    print(progress.acknowledged, total)


def main() -> None:
    with us3.Client(public_key="a", private_key="b", bucket_name="c", endpoint="http://127.0.0.1:1") as client:
        try:
            result = client.put_file_with_policy(Path("a"), "a", None, us3.build_policy("http://a", "b"))
            etag: Optional[str] = result.etag
            print(etag, result.json(), result.callback_state is us3.CallbackState.REPLY_REFUSED)
            print(client.abort_upload("k", "upload-id").upload_id)
            client.upload("k", data=bytearray(b"x"), metadata={"a": "b"}, on_progress=show)
            client.upload("k", reader=io.BytesIO(b"x"), timeout_ms=5)
            with client.start("k", file_path=b"path") as task:
                print(task.progress().sent, task.result(1.5).bytes_sent)
        except us3.CallbackFailedError as error:
            print(error.http_status, error.ret_code, error.object_state is us3.ObjectState.STORED)
        except (us3.TimeoutError, OSError):
            pass


async def gather(client: us3.Client) -> us3.Result:
    return await client.upload_async("k", data=b"x", polcy_json="{}")  # type: ignore[call-arg]


if __name__ == "__main__":
    main()
    asyncio.run(gather(us3.Client.from_file("config.json")))
