"""Tables in Markdown."""

from lagbias.runtime.markdown import markdown_table


def test_a_table_has_a_rule_and_escapes_bars():
    assert markdown_table(["a", "b"], [["|P|", "2"]]) == (
        "| a | b |\n| --- | --- |\n| \\|P\\| | 2 |"
    )


def test_numbers_are_aligned_on_their_right_and_names_are_not():
    table = markdown_table(["rule", "s", "GiB"], [], align_right=True)
    assert table.splitlines()[1] == "| --- | ---: | ---: |"
