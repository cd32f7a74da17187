"""boto3's share: it deserializes both images of each record of a page, in rounds, and prints CPU times as JSON.

Run by `run.py` in an environment with boto3: ``python boto3_probe.py PAGE.json ROUNDS``.
"""

import json
import resource
import sys
from pathlib import Path
from statistics import median

from boto3.dynamodb.types import TypeDeserializer


def cpu() -> float:
    """Return the CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


records = json.loads(Path(sys.argv[1]).read_bytes())["Records"]
deserialize = TypeDeserializer().deserialize
samples = []
for _ in range(int(sys.argv[2]) + 1):
    before = cpu()
    for _again in range(5):
        for record in records:
            for image in ("OldImage", "NewImage"):
                for value in record["dynamodb"][image].values():
                    deserialize(value)
    samples.append((cpu() - before) / 5 / len(records) * 1e6)
print(json.dumps(median(samples[1:])))
