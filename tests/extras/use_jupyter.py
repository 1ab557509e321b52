"""A cell that is a prompt."""

from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance(history_length=0)
shell.run_line_magic("load_ext", "g4f_lite")
shell.run_cell_magic("chat", "-m echo -o answer", "hello\n")
assert shell.user_ns["answer"] == "hello"
