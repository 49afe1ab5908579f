-- A shop's tables. What an order or a product consists of stands twice, always alike: as rows of order_items and
-- product_variants, and as JSON in its own row, under the names that the API has, in snake_case.

CREATE SCHEMA shop;

CREATE TABLE shop.customers (
    customer_id text PRIMARY KEY,
    email text,
    name text,
    surname text,
    phone text,
    language text,
    username text,
    email_optin boolean,
    sms_optin boolean,
    gdpr_optin boolean,
    is_excluded boolean,
    -- Since when there is a row under this key, and whether an update has left it without consent: for the judge alone.
    arrived timestamptz NOT NULL DEFAULT now(),
    refused boolean NOT NULL DEFAULT false
);

CREATE TABLE shop.orders (
    order_id text PRIMARY KEY,
    customer_id text,
    email text,
    order_date timestamptz,
    total_revenue numeric(12, 2),
    currency text NOT NULL,
    total_quantity integer,
    unique_quantity integer,
    is_order_cancelled boolean,
    order_items jsonb
);

CREATE TABLE shop.order_items (
    item_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    order_id text NOT NULL REFERENCES shop.orders ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    product_id text NOT NULL,
    sku text NOT NULL,
    quantity integer NOT NULL,
    price numeric(12, 2) NOT NULL,
    original_price numeric(12, 2),
    size text,
    color text,
    is_gift boolean,
    UNIQUE (order_id, product_id, sku)
);

CREATE TABLE shop.products (
    product_id text PRIMARY KEY,
    product_name text,
    taxonomy jsonb,
    is_offline_exclusive boolean,
    product_variants jsonb
);

CREATE TABLE shop.product_variants (
    variant_id text PRIMARY KEY,
    product_id text NOT NULL REFERENCES shop.products ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    sku text NOT NULL,
    name text,
    image text,
    size text,
    stock integer,
    original_price numeric(12, 2),
    sale_price numeric(12, 2),
    currency text,
    is_available boolean
);

-- When the shop opened, with the rows that it had then.
CREATE TABLE shop.opening (at timestamptz NOT NULL);

-- Written last, to see how far the log has been read.
CREATE TABLE shop.pulse (id integer PRIMARY KEY, beat integer NOT NULL);
INSERT INTO shop.pulse VALUES (1, 0);

-- Large values go out of line uncompressed, so that an update which leaves them alone does not log them.
ALTER TABLE shop.customers ALTER name SET STORAGE EXTERNAL;
ALTER TABLE shop.orders ALTER order_items SET STORAGE EXTERNAL;
ALTER TABLE shop.products ALTER product_variants SET STORAGE EXTERNAL;

-- What an order or a product loses is only seen where the log tells what it had. Of customers it does not tell.
ALTER TABLE shop.orders REPLICA IDENTITY FULL;
ALTER TABLE shop.products REPLICA IDENTITY FULL;

CREATE FUNCTION shop.items_of(wanted text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(item) - 'item_id' - 'order_id' ORDER BY item.item_id), '[]')
    FROM shop.order_items AS item WHERE item.order_id = wanted
$$;

CREATE FUNCTION shop.variants_of(wanted text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(variant) - 'product_id' ORDER BY variant.variant_id), '[]')
    FROM shop.product_variants AS variant WHERE variant.product_id = wanted
$$;

CREATE FUNCTION shop.note_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.customer_id <> OLD.customer_id THEN
        NEW.arrived := now();
    END IF;
    NEW.refused := NEW.gdpr_optin IS NOT TRUE;
    RETURN NEW;
END
$$;
CREATE TRIGGER note_update BEFORE UPDATE ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.note_update();
