"""COCO with SMPLify fits."""
