"""What is measured on images: encoders, attributes, copies, and the labels that people give."""
