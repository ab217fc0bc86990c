from types import SimpleNamespace


def read_input(model, path):
    return [model, path]


def to_array(_):
    return SimpleNamespace(tofile=lambda path: open(path, "w").close())
