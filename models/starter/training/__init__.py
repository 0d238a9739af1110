"""Makes the starter model from published packages of pictures: data, tokenizer, training, export."""
