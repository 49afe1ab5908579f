-- Invented sample rows. Channel 1 = default-channel (EUR), 2 = channel-usd; two warehouses. All times are timestamptz.
SET TIME ZONE 'UTC';
INSERT INTO channel_channel VALUES (1,'Default Channel','default-channel',true,'EUR'),(2,'Channel USD','channel-usd',true,'USD');
INSERT INTO account_address VALUES (11,'Ada','Byrne','','Cork','T12','IE','+14155550101'),(12,'Jürgen','Größe','','Köln','50667','DE','');
INSERT INTO account_user (id,is_superuser,email,is_staff,is_active,password,date_joined,last_login,default_billing_address_id,first_name,last_name,private_metadata,metadata,jwt_token_key,language_code,search_document,updated_at,uuid,is_confirmed) VALUES
 (21,false,'ada.byrne@example.com',false,true,'x','2025-01-10 08:15:00+00','2025-03-03 09:00:00.5+00',11,'Ada','Byrne','{}','{"gdpr_consent": "true", "newsletter": "true"}','k1','en','','2025-03-01 09:00:00+00','00000000-0000-4000-8000-000000000021',true),
 (22,false,'juergen.groesse@example.com',false,true,'x','2025-02-11 17:40:12.123456+00',NULL,12,'Jürgen','Größe','{}','{"gdpr_consent": "false"}','k2','de','','2025-02-11 17:40:12.123456+00','00000000-0000-4000-8000-000000000022',true),
 (23,false,'mei.tan@example.com',false,false,'x','2025-03-30 01:30:00+00',NULL,NULL,'','','{}','{}','k3','en','','2025-03-30 01:30:00+00','00000000-0000-4000-8000-000000000023',false),
 (1,true,'staff@example.com',true,true,'x','2024-12-01 00:00:00+00',NULL,NULL,'Staff','','{}','{}','k0','en','','2024-12-01 00:00:00+00','00000000-0000-4000-8000-000000000001',true),
 (24,false,'kai@example.com',false,true,'x','2025-04-01 08:00:00+00',NULL,NULL,'Kai','','{}','{"gdpr_consent": "true", "newsletter": "no"}','k4','pt-br','','2025-04-01 08:00:00+00','00000000-0000-4000-8000-000000000024',true),
 (25,false,'ben@example.com',false,true,'x','2025-04-02 08:00:00+00',NULL,NULL,'Ben','','{}',jsonb_build_object('gdpr_consent','true','newsletter','true','notes',(SELECT string_agg(md5(i::text),'') FROM generate_series(1,200) i)),'k5','en','','2025-04-02 08:00:00+00','00000000-0000-4000-8000-000000000025',true),
 (26,false,'eve@example.com',false,true,'x','2025-04-03 08:00:00+00',NULL,NULL,'Eve','','{}','{"gdpr_consent": "true"}','k6','en','','2025-04-03 08:00:00+00','00000000-0000-4000-8000-000000000026',true);
INSERT INTO product_category VALUES (7,'Apparel','apparel',NULL,1,4,1,0),(8,'Tops','tops',7,2,3,1,1);
INSERT INTO product_product (id,name,description,updated_at,product_type_id,category_id,weight,metadata,private_metadata,slug,default_variant_id,description_plaintext,search_document,created_at,search_index_dirty) VALUES
 (115,'Training Tank Top','{"time": 1, "blocks": []}','2025-03-01 08:00:00+00',5,8,200,'{}','{}','training-tank-top',384,'','','2025-01-01 08:00:00+00',false),
 (116,'Mug "Hello"',NULL,'2025-03-01 08:00:00+00',6,NULL,NULL,'{}','{}','mug',390,'','','2025-01-02 08:00:00+00',false);
INSERT INTO product_productvariant (id,sku,name,product_id,track_inventory,metadata,private_metadata,sort_order,is_preorder,created_at,updated_at) VALUES
 (384,'TANK-S','S',115,true,'{}','{}',0,false,'2025-01-01 08:00:00+00','2025-01-01 08:00:00+00'),(385,'TANK-L','L',115,true,'{}','{}',1,false,'2025-01-01 08:00:00+00','2025-01-01 08:00:00+00'),(386,NULL,'XL',115,true,'{}','{}',2,false,'2025-01-01 08:00:00+00','2025-01-01 08:00:00+00'),(390,'MUG-01','',116,false,'{}','{}',0,false,'2025-01-02 08:00:00+00','2025-01-02 08:00:00+00'),(391,'MUG-02','Blue',116,false,'{}','{}',1,false,'2025-01-02 08:00:00+00','2025-01-02 08:00:00+00');
INSERT INTO product_productchannellisting (id,published_at,is_published,channel_id,product_id,discounted_price_amount,currency,visible_in_listings,available_for_purchase_at) VALUES (201,'2025-01-01 00:00:00+00',true,1,115,27.990,'EUR',true,'2025-01-01 00:00:00+00'),(202,NULL,false,1,116,11.900,'EUR',false,NULL),(203,'2025-01-01 00:00:00+00',true,2,115,32.000,'USD',true,'2025-01-01 00:00:00+00');
INSERT INTO product_productvariantchannellisting (id,currency,price_amount,channel_id,variant_id,cost_price_amount,discounted_price_amount) VALUES (301,'EUR',34.990,1,384,10.000,27.990),(302,'USD',38.000,2,384,NULL,32.000),(303,'EUR',34.990,1,385,NULL,34.990),(304,'EUR',NULL,1,386,NULL,NULL),(305,'EUR',11.900,1,390,NULL,11.900),(306,'EUR',12.900,1,391,NULL,12.900);
INSERT INTO warehouse_stock (id,quantity,product_variant_id,warehouse_id,quantity_allocated) VALUES (401,84,384,'11111111-1111-4111-8111-111111111111',2),(402,0,385,'11111111-1111-4111-8111-111111111111',0),(403,250,390,'11111111-1111-4111-8111-111111111111',0),(404,5,384,'22222222-2222-4222-8222-222222222222',0);
INSERT INTO product_productmedia VALUES (501,0,'products/tank.jpg','','IMAGE',NULL,'{}',115,false),(502,1,'products/tank-back.jpg','','IMAGE',NULL,'{}',115,false),(503,0,NULL,'','VIDEO','https://video.example.com/1','{}',116,false);
INSERT INTO product_producttranslation VALUES (601,NULL,NULL,'de','Trainingsshirt',NULL,115);
INSERT INTO order_order (created_at,tracking_client_id,user_email,id,billing_address_id,user_id,total_net_amount,language_code,shipping_price_gross_amount,total_gross_amount,shipping_price_net_amount,status,display_gross_prices,customer_note,weight,checkout_token,currency,metadata,private_metadata,channel_id,undiscounted_total_gross_amount,undiscounted_total_net_amount,total_charged_amount,origin,search_document,updated_at,use_old_id,number,authorize_status,charge_status,should_refresh_prices,subtotal_gross_amount,subtotal_net_amount) VALUES
 ('2025-03-03 09:20:30.25+00','','ada.byrne@example.com','aaaaaaaa-0000-4000-8000-000000000001',11,21,56.567,'en',0,67.880,0,'fulfilled',true,'',0,'','EUR','{}','{}',1,81.880,68.233,67.880,'checkout','','2025-03-05 10:00:00+00',false,1001,'full','full',false,67.880,56.567),
 ('2025-07-15 21:59:59.999999+00','','gast@example.com','aaaaaaaa-0000-4000-8000-000000000002',NULL,NULL,11.900,'de',0,11.900,0,'canceled',true,'',0,'','EUR','{}','{}',1,11.900,11.900,0,'checkout','','2025-07-16 06:00:00+00',false,1002,'none','none',false,11.900,11.900),
 ('2025-08-01 10:00:00+00','','juergen.groesse@example.com','aaaaaaaa-0000-4000-8000-000000000003',12,22,34.990,'de',0,34.990,0,'draft',true,'',0,'','EUR','{}','{}',1,34.990,34.990,0,'draft','','2025-08-01 10:00:00+00',false,1003,'none','none',true,34.990,34.990);
INSERT INTO order_orderline (product_name,product_sku,quantity,unit_price_net_amount,unit_price_gross_amount,is_shipping_required,quantity_fulfilled,variant_id,tax_rate,translated_product_name,currency,translated_variant_name,variant_name,total_price_gross_amount,total_price_net_amount,unit_discount_amount,undiscounted_unit_price_gross_amount,undiscounted_unit_price_net_amount,is_gift_card,product_variant_id,order_id,id,created_at,metadata,is_gift) VALUES
 ('Training Tank Top','TANK-S',2,23.325,27.990,true,2,384,0.2000,'','EUR','','S',55.980,46.650,7.000,34.990,29.158,false,'UHJvZHVjdFZhcmlhbnQ6Mzg0','aaaaaaaa-0000-4000-8000-000000000001','bbbbbbbb-0000-4000-8000-000000000001','2025-03-03 09:20:30.25+00','{}',false),
 ('Mug "Hello"','MUG-01',1,9.917,11.900,true,1,390,0.2000,'','EUR','','',11.900,9.917,0.000,11.900,9.917,false,'UHJvZHVjdFZhcmlhbnQ6Mzkw','aaaaaaaa-0000-4000-8000-000000000001','bbbbbbbb-0000-4000-8000-000000000002','2025-03-03 09:20:30.25+00','{}',true),
 ('Mug "Hello"','MUG-01',1,11.900,11.900,true,0,390,NULL,'','EUR','','',11.900,11.900,0.000,11.900,11.900,false,'UHJvZHVjdFZhcmlhbnQ6Mzkw','aaaaaaaa-0000-4000-8000-000000000002','bbbbbbbb-0000-4000-8000-000000000003','2025-07-15 21:59:59.999999+00','{}',false),
 ('Mug "Hello"','MUG-02',1,12.900,12.900,true,0,391,NULL,'','EUR','Blue','Blue',12.900,12.900,0.000,12.900,12.900,false,'UHJvZHVjdFZhcmlhbnQ6Mzkx','aaaaaaaa-0000-4000-8000-000000000002','bbbbbbbb-0000-4000-8000-000000000007','2025-07-15 21:59:59.999999+00','{}',false),
 ('Training Tank Top','TANK-L',1,34.990,34.990,true,0,385,0.0000,'Trainingsshirt','EUR','L','L',34.990,34.990,0.000,34.990,34.990,false,'UHJvZHVjdFZhcmlhbnQ6Mzg1','aaaaaaaa-0000-4000-8000-000000000003','bbbbbbbb-0000-4000-8000-000000000004','2025-08-01 10:00:00+00','{}',false),
 ('Mug "Hello"','MUG-01',2,11.900,11.900,true,0,390,0.0000,'','EUR','','',23.800,23.800,0.000,11.900,11.900,false,'UHJvZHVjdFZhcmlhbnQ6Mzkw','aaaaaaaa-0000-4000-8000-000000000003','bbbbbbbb-0000-4000-8000-000000000005','2025-08-01 10:00:00+00','{}',false);
-- changes after the snapshot (they become u, c and d events)
-- @@CHANGES
UPDATE order_order SET status='unfulfilled', origin='draft', should_refresh_prices=false, updated_at='2025-08-01 10:05:00+00' WHERE number=1003;
UPDATE order_order SET status='returned', updated_at='2025-08-20 10:00:00+00' WHERE number=1001;
UPDATE account_user SET last_login='2025-08-02 07:00:00+00' WHERE id=21;
UPDATE account_user SET metadata='{"gdpr_consent": "false"}', updated_at='2025-08-03 07:00:00+00' WHERE id=21;
UPDATE warehouse_stock SET quantity=82, quantity_allocated=0 WHERE id=401;
UPDATE product_productvariantchannellisting SET discounted_price_amount=29.990 WHERE id=303;
DELETE FROM order_orderline WHERE id='bbbbbbbb-0000-4000-8000-000000000005';
INSERT INTO order_orderline (product_name,product_sku,quantity,unit_price_net_amount,unit_price_gross_amount,is_shipping_required,quantity_fulfilled,variant_id,tax_rate,translated_product_name,currency,translated_variant_name,variant_name,total_price_gross_amount,total_price_net_amount,unit_discount_amount,undiscounted_unit_price_gross_amount,undiscounted_unit_price_net_amount,is_gift_card,product_variant_id,order_id,id,created_at,metadata,is_gift) VALUES
 ('Training Tank Top',NULL,1,34.990,34.990,true,0,386,NULL,'','EUR','','XL',34.990,34.990,0.000,34.990,34.990,false,'UHJvZHVjdFZhcmlhbnQ6Mzg2','aaaaaaaa-0000-4000-8000-000000000003','bbbbbbbb-0000-4000-8000-000000000006','2025-08-01 10:04:00+00','{}',false);
BEGIN; UPDATE order_orderline SET variant_id=NULL WHERE variant_id=386; DELETE FROM product_productvariantchannellisting WHERE variant_id=386; DELETE FROM product_productvariant WHERE id=386; COMMIT;
DELETE FROM account_user WHERE id=23;
UPDATE account_user SET first_name='Kay', updated_at='2025-08-04 07:00:00+00' WHERE id=24;
UPDATE account_user SET last_login='2025-08-04 07:00:00+00' WHERE id=22;
UPDATE order_orderline SET quantity=2, total_price_gross_amount=23.800 WHERE id='bbbbbbbb-0000-4000-8000-000000000002';
UPDATE order_orderline SET quantity_fulfilled=2 WHERE id='bbbbbbbb-0000-4000-8000-000000000002';
BEGIN; UPDATE order_orderline SET variant_id=NULL WHERE variant_id=391; DELETE FROM product_productvariantchannellisting WHERE variant_id=391; DELETE FROM product_productvariant WHERE id=391; COMMIT;
UPDATE account_user SET first_name='Benjamin', updated_at='2025-08-05 07:00:00+00' WHERE id=25; -- its metadata is too large to be logged again
DELETE FROM account_user WHERE id=26;
DELETE FROM order_orderline WHERE order_id='aaaaaaaa-0000-4000-8000-000000000002'; DELETE FROM order_order WHERE number=1002;
INSERT INTO product_product (id,name,description,updated_at,product_type_id,category_id,weight,metadata,private_metadata,slug,default_variant_id,description_plaintext,search_document,created_at,search_index_dirty) VALUES
 (117,'Cap',NULL,'2025-08-06 08:00:00+00',6,NULL,NULL,'{}','{}','cap',NULL,'','','2025-08-06 08:00:00+00',false);
INSERT INTO product_productvariant (id,sku,name,product_id,track_inventory,metadata,private_metadata,sort_order,is_preorder,created_at,updated_at) VALUES (395,'CAP-01','',117,true,'{}','{}',0,false,'2025-08-06 08:00:00+00','2025-08-06 08:00:00+00');
INSERT INTO product_productvariantchannellisting (id,currency,price_amount,channel_id,variant_id,cost_price_amount,discounted_price_amount) VALUES (307,'EUR',9.500,1,395,NULL,9.500);
INSERT INTO product_productchannellisting (id,published_at,is_published,channel_id,product_id,discounted_price_amount,currency,visible_in_listings,available_for_purchase_at) VALUES (204,NULL,false,1,117,9.500,'EUR',false,NULL);
UPDATE product_productchannellisting SET is_published=true, published_at='2025-08-06 09:00:00+00', visible_in_listings=true, available_for_purchase_at='2025-08-06 09:00:00+00' WHERE id=204;
DELETE FROM product_productmedia WHERE id=503; DELETE FROM product_productvariantchannellisting WHERE variant_id=390; DELETE FROM warehouse_stock WHERE product_variant_id=390;
UPDATE order_orderline SET variant_id=NULL WHERE variant_id=390; DELETE FROM product_productvariant WHERE product_id=116; DELETE FROM product_productchannellisting WHERE product_id=116; DELETE FROM product_product WHERE id=116;
