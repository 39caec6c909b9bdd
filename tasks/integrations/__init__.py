"""One file each; nothing else lives here. Every module of this folder is loaded."""
