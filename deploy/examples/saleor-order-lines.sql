-- Saleor order lines for Replenit: an outbox table, written by a trigger, that Debezium captures.
--
-- Why: order_orderline names the variant (variant_id, which becomes NULL once the variant is deleted) and the SKU,
-- but not the product, and the API wants both. This table has one row for each order line that has a SKU, and keeps
-- its product when the variant is deleted later. The trigger writes it in the transaction that writes the line, and
-- only if one of its columns changes.
--
-- It adds ONE table, ONE function and ONE trigger beside Saleor's own tables; Saleor's migrations don't touch them.
-- Removal: the last lines. Run it as the owner of Saleor's tables, in a quiet minute: CREATE TRIGGER waits for
-- running writes to order_orderline.

CREATE TABLE IF NOT EXISTS public.replenit_order_line (
  id             uuid PRIMARY KEY, -- order_orderline.id
  order_id       uuid NOT NULL,
  product_id     integer NOT NULL,
  sku            text NOT NULL,
  quantity       integer NOT NULL,
  price          numeric(20,3) NOT NULL, -- of one unit, with tax, after discounts
  original_price numeric(20,3) NOT NULL, -- with tax, before discounts
  is_gift        boolean NOT NULL
);

CREATE OR REPLACE FUNCTION public.replenit_order_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  product integer;
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM public.replenit_order_line WHERE id = OLD.id;
    RETURN NULL;
  END IF;
  SELECT v.product_id INTO product FROM public.product_productvariant v WHERE v.id = NEW.variant_id;
  product := coalesce(product, (SELECT o.product_id FROM public.replenit_order_line o WHERE o.id = NEW.id));
  IF product IS NULL OR coalesce(NEW.product_sku, '') = '' THEN
    DELETE FROM public.replenit_order_line WHERE id = NEW.id;
    RETURN NULL;
  END IF;
  INSERT INTO public.replenit_order_line AS o
    VALUES (NEW.id, NEW.order_id, product, NEW.product_sku, NEW.quantity, NEW.unit_price_gross_amount,
            NEW.undiscounted_unit_price_gross_amount, NEW.is_gift)
    ON CONFLICT (id) DO UPDATE
      SET (order_id, product_id, sku, quantity, price, original_price, is_gift) =
          (EXCLUDED.order_id, EXCLUDED.product_id, EXCLUDED.sku, EXCLUDED.quantity, EXCLUDED.price,
              EXCLUDED.original_price, EXCLUDED.is_gift)
      WHERE (o.order_id, o.product_id, o.sku, o.quantity, o.price, o.original_price, o.is_gift) IS DISTINCT FROM
            (EXCLUDED.order_id, EXCLUDED.product_id, EXCLUDED.sku, EXCLUDED.quantity, EXCLUDED.price,
                EXCLUDED.original_price, EXCLUDED.is_gift);
  RETURN NULL;
END $$;

DROP TRIGGER IF EXISTS replenit_order_line ON public.order_orderline;
CREATE TRIGGER replenit_order_line AFTER INSERT OR DELETE OR UPDATE ON public.order_orderline
  FOR EACH ROW EXECUTE FUNCTION public.replenit_order_line();

-- The lines that exist already: by their variant, or, where that was deleted, by one that has its SKU now. Of the
-- others nobody knows the product any more; they are left out.
INSERT INTO public.replenit_order_line
  SELECT l.id, l.order_id, v.product_id, l.product_sku, l.quantity, l.unit_price_gross_amount,
      l.undiscounted_unit_price_gross_amount, l.is_gift
    FROM public.order_orderline l
    JOIN public.product_productvariant v ON v.id = l.variant_id OR (l.variant_id IS NULL AND v.sku = l.product_sku)
   WHERE l.product_sku <> ''
  ON CONFLICT DO NOTHING;

-- To remove all of it:
-- DROP TRIGGER IF EXISTS replenit_order_line ON public.order_orderline;
-- DROP FUNCTION IF EXISTS public.replenit_order_line();
-- DROP TABLE IF EXISTS public.replenit_order_line;
