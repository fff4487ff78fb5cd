"""A Ray head whose tables are in Redis, so that its GCS can be killed and started again without them.

`python -m share_actors.actors.runtime.head start --head ...` takes what `ray start` takes.
"""
