"""Images as rows: files in folders by class, tables with paths of images, and PNG from pixels."""
