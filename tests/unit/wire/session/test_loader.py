"""Botocore's data files, read as botocore reads them."""

import gzip

from botocore.loaders import JSONFileLoader, Loader

from mizzle_async.wire.session.loader import FileLoader, shared_loader


def test_what_is_read_equals_what_botocore_reads():
    """The service model and the endpoint data are the same, to the order of their members."""
    ours, theirs = Loader(file_loader=FileLoader()), Loader()
    for kind in ("service-2", "endpoint-rule-set-1"):
        model = ours.load_service_model("dynamodb", kind)
        assert model == theirs.load_service_model("dynamodb", kind)
        assert list(model) == list(theirs.load_service_model("dynamodb", kind))
    for name in ("endpoints", "partitions", "sdk-default-configuration"):
        assert ours.load_data(name) == theirs.load_data(name)


def test_files_are_found_with_either_suffix(tmp_path):
    """Plain and compressed files are read; where there is none, None is returned."""
    (tmp_path / "plain.json").write_text('{"a": 1}')
    (tmp_path / "small.json.gz").write_bytes(gzip.compress(b'{"b": 2}'))
    for loader in (FileLoader(), JSONFileLoader()):
        assert loader.exists(str(tmp_path / "plain"))
        assert loader.exists(str(tmp_path / "small"))
        assert not loader.exists(str(tmp_path / "nothing"))
        assert loader.load_file(str(tmp_path / "plain")) == {"a": 1}
        assert loader.load_file(str(tmp_path / "small")) == {"b": 2}
        assert loader.load_file(str(tmp_path / "nothing")) is None


def test_one_loader_for_all():
    """What one client read, no other reads again."""
    assert shared_loader(None) is shared_loader(None)
