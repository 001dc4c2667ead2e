"""The TAAE codec and a convolutional one: network, quantizer, streaming, bitstream."""
