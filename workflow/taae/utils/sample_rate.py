"""The sample rate of everything that is coded and scored."""

SAMPLE_RATE = 16_000  # Hz; the paper's, and what PESQ-WB and DNSMOS are defined for
