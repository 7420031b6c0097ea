"""Files of published simulations: fetch, verify, link from a tree on disk, take stock.

Nothing here knows what the files hold. Functions take paths relative to a collection's root, and
a base address or a directory; :func:`lagbias.sources.abacus.paths.box_paths` says what a box
needs. The way in is

- :func:`lagbias.sources.abacus.acquire.products.fetch_products` to download,
- :func:`lagbias.sources.abacus.acquire.products.product_files` and :func:`lagbias.sources.abacus.acquire.local_tree.link_files`
  to use a tree that is on disk,
- :func:`lagbias.sources.abacus.acquire.inventory.take_inventory` and :mod:`lagbias.sources.abacus.acquire.report` to see what
  is there and what would be fetched.
"""
