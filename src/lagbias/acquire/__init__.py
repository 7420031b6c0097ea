"""Files of published simulations: fetch, verify, link from a tree on disk, take stock.

Nothing here knows what the files hold. Functions take paths relative to a collection's root, and
a base address or a directory; :func:`lagbias.sources.abacus_files.box_paths` says what a box
needs. The way in is

- :func:`lagbias.acquire.products.fetch_products` to download,
- :func:`lagbias.acquire.products.product_files` and :func:`lagbias.acquire.local_tree.link_files`
  to use a tree that is on disk,
- :func:`lagbias.acquire.inventory.take_inventory` and :mod:`lagbias.acquire.report` to see what
  is there and what would be fetched.
"""
