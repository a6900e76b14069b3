import os
from ociimage import Image
want = [("amd64", None, "/bin-amd64"), ("arm64", None, "/bin-arm64"), ("arm", "v7", "/bin-armv7")]
for n, (arch, variant, name) in enumerate(want):
    image = Image(os.environ["LAYOUT"], n)
    assert image.descriptor["platform"]["architecture"] == arch, image.descriptor
    assert image.descriptor["platform"].get("variant") == variant, image.descriptor
    assert image.config["architecture"] == arch
    assert name in image.tree()
