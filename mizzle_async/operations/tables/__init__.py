"""Tables: as they are declared, and as the service describes them."""
