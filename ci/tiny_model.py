"""A model of nothing for servers that only need its shape: configuration, tokeniser, chat template.

tiny_model.py FOLDER, with a Python that has ``tokenizers``. The tokeniser is trained on the standard library.
"""

import argparse
import http.client
import inspect
import json
import logging
import subprocess
import sys
import textwrap
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END, BEGIN, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
THEN = "<|im_sep|>"
"""Ends a message's role: what stands before an answer is then the same tokens with the answer behind it."""
VOCABULARY = 2048

TEMPLATE = """\
{%- if tools %}<|im_start|>system
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message['role'] }}<|im_sep|>
{{- message['content'] or '' }}
{%- for call in (message['tool_calls'] or []) %}
{{ call | tojson }}
{%- endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant<|im_sep|>
{%- endif %}"""

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "torch_dtype": "float32",
}


def make(folder: Path) -> None:
    """Write the files that a server looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    tokeniser = Tokenizer(models.BPE())
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    texts = [inspect.getsource(m) for m in (argparse, http.client, logging, subprocess, textwrap)]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, BEGIN, STOP, THEN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokeniser.train_from_iterator(texts, trainer)
    tokeniser.save(str(folder / "tokenizer.json"))
    stop, pad = tokeniser.token_to_id(STOP), tokeniser.token_to_id(END)
    for name, content in {
        "config.json": {**CONFIG, "eos_token_id": stop, "pad_token_id": pad},
        "generation_config.json": {"eos_token_id": stop, "pad_token_id": pad},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": STOP,
            "pad_token": END,
            "model_max_length": 8192,
            "clean_up_tokenization_spaces": False,
            "chat_template": TEMPLATE,
        },
    }.items():
        (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
