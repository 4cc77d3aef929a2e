"""Windows: watermark, due ends, cutting, spans."""
