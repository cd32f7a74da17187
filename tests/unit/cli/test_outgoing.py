from mizzle_async.cli.outgoing import Printer


def test_names_and_values_are_shown_as_they_are(capsys):
    """What comes from data is no markup of ours, and steers no terminal."""
    printer = Printer("table")
    printer.add({"[/x]": {"S": "[red]a\x1b[31m"}, "[bold]": {"S": "b\nc"}})
    printer.end()
    shown = capsys.readouterr()
    assert all(part in shown.out for part in ("[/x]", "[bold]", r"[red]a\x1b[31m"))
    assert "\x1b" not in shown.out
    assert shown.err == "1 item\n"
