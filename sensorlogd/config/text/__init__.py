"""Works on the text of YAML files: where each part stands, and why a text is not valid YAML."""
