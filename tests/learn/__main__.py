"""`python -m tests.learn`: write anew what likeness knows, after a change of labelled messages, examples or mask."""

from streams.classify.likeness import FILE
from tests.learn.weights import learn, texts

if __name__ == "__main__":
    learned = texts()
    FILE.write_text(learn(learned), encoding="utf-8")
    print(f"{FILE.name}: learned from {len(learned)} texts; raise the version in reasons.toml if an answer changed")
