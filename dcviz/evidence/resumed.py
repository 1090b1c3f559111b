"""Long measurements that can be stopped at any moment: finished rows are kept, the same command goes on."""

import json
from contextlib import contextmanager

from dcviz.files import atomic_write, read_json


@contextmanager
def rows(path, jobs):
    """The rows of {key: function without arguments -> row}, in this order; what is measured is kept in ``path``.

    The file goes away when the block ends well, so that the next measurement measures again.
    """
    done = read_json(path) if path.exists() else {}
    for key, job in jobs.items():
        if key not in done:
            done[key] = job()
            text = json.dumps(done, indent=1).encode()
            atomic_write(path, lambda file, text=text: file.write(text))
            print(f"{len(done)} of {len(jobs)}: {key} {json.dumps(done[key])}", flush=True)
    yield [done[key] for key in jobs]
    path.unlink(missing_ok=True)
