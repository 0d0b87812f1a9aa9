"""What the readers of single file formats share: values, joints, frames, numbers in names, scales."""
