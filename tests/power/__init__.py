"""A power cut: what processes write is recorded (recorder.c), then replayed onto a disk that keeps what was synced."""
