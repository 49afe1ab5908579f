-- Invented sample rows. Shop: default currency EUR (currency_id 1, value 1), zone Europe/Berlin (naive local DATETIME), languages 1 = en-gb, 2 = de-de, media at https://shop.example.com/image/.
SET SESSION sql_mode='';
INSERT INTO `oc_currency` VALUES (1,'Euro','EUR','','€',2,1.00000000,1,'2025-03-01 00:00:00'),(2,'US Dollar','USD','$','',2,1.08000000,1,'2025-03-01 00:00:00');
INSERT INTO `oc_order_status` VALUES (1,1,'Pending'),(2,1,'Processing'),(3,1,'Shipped'),(5,1,'Complete'),(7,1,'Canceled'),(8,1,'Denied'),(9,1,'Canceled Reversal'),(10,1,'Failed'),(11,1,'Refunded'),(12,1,'Reversed'),(13,1,'Chargeback'),(14,1,'Expired'),(15,1,'Processed'),(16,1,'Voided');
INSERT INTO `oc_manufacturer` VALUES (8,'Northwind Roasters','',0);
INSERT INTO `oc_customer` (`customer_id`,`customer_group_id`,`store_id`,`language_id`,`firstname`,`lastname`,`email`,`telephone`,`password`,`custom_field`,`newsletter`,`ip`,`status`,`safe`,`token`,`code`,`date_added`) VALUES
 (101,1,0,1,'Ada','Byrne','ada.byrne@example.com','+14155550101','x','',1,'192.0.2.1',1,0,'','','2025-01-10 09:15:00'),
 (102,1,0,2,'Jürgen','Größe','juergen.groesse@example.com','0151 5550102','x','',0,'192.0.2.2',1,0,'','','2025-02-11 18:40:12'),
 (103,1,0,1,'Mei','Tan','mei.tan@example.com','','x','',1,'192.0.2.3',0,0,'','','2025-03-30 02:30:00'),
 (104,1,0,3,'Kai','','kai@example.com','0171 5550104','x','',1,'192.0.2.4',1,0,'','','2025-04-01 10:00:00');
INSERT INTO `oc_product` (`product_id`,`master_id`,`model`,`sku`,`upc`,`ean`,`mpn`,`location`,`variant`,`override`,`quantity`,`stock_status_id`,`image`,`manufacturer_id`,`shipping`,`price`,`points`,`tax_class_id`,`date_available`,`weight`,`subtract`,`minimum`,`sort_order`,`status`,`date_added`,`date_modified`) VALUES
 (40,0,'COFFEE-DARK','SKU-40','','','','','','',12,7,'catalog/coffee.jpg',8,1,12.5000,0,9,'2025-01-01',0.50000000,1,1,0,1,'2025-01-01 08:00:00','2025-03-01 08:00:00'),
 (41,40,'COFFEE-DARK-1KG','SKU-41','','','','','{"226":"17"}','{"price":1}',0,5,'catalog/coffee-1kg.jpg',8,1,22.9000,0,9,'2025-01-01',1.00000000,1,1,0,1,'2025-01-02 08:00:00','2025-03-02 08:00:00'),
 (42,0,'FILTER-100','SKU-42','','','','','','',250,7,'',0,1,3.9900,0,9,'2025-01-01',0.10000000,1,1,0,0,'2025-01-03 08:00:00','2025-03-03 08:00:00');
INSERT INTO `oc_product_description` VALUES
 (40,1,'Dark roast coffee','<p>Whole beans</p>','','Dark roast coffee','',''),(40,2,'Dunkel gerösteter Kaffee','<p>Ganze Bohnen</p>','','Kaffee','',''),
 (41,1,'Dark roast coffee 1 kg','','','Dark roast coffee','',''),(41,2,'Dunkel gerösteter Kaffee 1 kg','','','Kaffee','',''),
 (42,1,'Paper filters &amp; holder','','','Filters','','');
INSERT INTO `oc_product_option_value` VALUES (17,226,40,13,46,7,1,0.0000,'+',0,'+',0.00000000,'+'),(18,226,40,13,47,0,1,2.5000,'+',0,'+',0.50000000,'+');
INSERT INTO `oc_product_special` VALUES (5,40,1,1,9.9900,'0000-00-00','0000-00-00');
INSERT INTO `oc_order` (`order_id`,`subscription_id`,`invoice_prefix`,`transaction_id`,`store_id`,`store_name`,`store_url`,`customer_id`,`customer_group_id`,`firstname`,`lastname`,`email`,`telephone`,`custom_field`,`payment_country`,`payment_country_id`,`payment_method`,`shipping_method`,`comment`,`total`,`order_status_id`,`affiliate_id`,`commission`,`marketing_id`,`tracking`,`language_id`,`language_code`,`currency_id`,`currency_code`,`currency_value`,`ip`,`forwarded_ip`,`user_agent`,`accept_language`,`date_added`,`date_modified`) VALUES
 (9001,0,'INV-2025-00','',0,'Demo','https://shop.example.com/',101,1,'Ada','Byrne','ada.byrne@example.com','+14155550101','','Ireland',103,'{"name":"Cash","code":"cod.cod"}','{}','',35.7900,5,0,0.0000,0,'',1,'en-gb',1,'EUR',1.00000000,'192.0.2.1','','','','2025-03-03 10:20:30','2025-03-05 11:00:00'),
 (9002,0,'INV-2025-00','',0,'Demo','https://shop.example.com/',0,1,'Gast','Kunde','gast@example.com','','','Germany',81,'{}','{}','',3.9900,7,0,0.0000,0,'',2,'de-de',2,'USD',1.08000000,'192.0.2.9','','','','2025-07-15 23:59:59','2025-07-16 08:00:00'),
 (9003,0,'INV-2025-00','',0,'Demo','https://shop.example.com/',102,1,'Jürgen','Größe','juergen.groesse@example.com','0151 5550102','','Germany',81,'{}','{}','',22.9000,0,0,0.0000,0,'',2,'de-de',1,'EUR',1.00000000,'192.0.2.2','','','','2025-08-01 12:00:00','2025-08-01 12:00:00');
INSERT INTO `oc_order_product` VALUES
 (70001,9001,40,0,'Dark roast coffee','COFFEE-DARK',1,9.9900,9.9900,0.7000,0),(70002,9001,41,40,'Dark roast coffee 1 kg','COFFEE-DARK-1KG',1,22.9000,22.9000,1.6000,0),
 (70003,9002,42,0,'Paper filters &amp; holder','FILTER-100',1,3.9900,3.9900,0.0000,0),
 (70004,9003,41,40,'Dark roast coffee 1 kg','COFFEE-DARK-1KG',1,22.9000,22.9000,1.6000,0),(70005,9003,42,0,'Paper filters &amp; holder','FILTER-100',2,3.9900,7.9800,0.0000,0);
INSERT INTO `oc_order_option` VALUES (1,9001,70001,226,17,'Size','500 g','select');
INSERT INTO `oc_order_total` VALUES (1,9001,'opencart','sub_total','Sub-Total',32.8900,1),(2,9001,'opencart','tax','VAT',2.3000,5),(3,9001,'opencart','shipping','Flat rate',0.6000,3),(4,9001,'opencart','total','Total',35.7900,9);
-- changes after the snapshot (they become u, c and d events)
-- @@CHANGES
UPDATE `oc_order` SET `order_status_id`=1, `date_modified`='2025-08-01 12:03:00' WHERE `order_id`=9003;
UPDATE `oc_order` SET `order_status_id`=11, `date_modified`='2025-08-02 09:00:00' WHERE `order_id`=9001;
UPDATE `oc_customer` SET `newsletter`=0 WHERE `customer_id`=101;
UPDATE `oc_product` SET `quantity`=11 WHERE `product_id`=40;
UPDATE `oc_product_description` SET `name`='Dark roast coffee, 500 g' WHERE `product_id`=40 AND `language_id`=1;
DELETE FROM `oc_order_product` WHERE `order_product_id`=70005;
DELETE FROM `oc_product_special` WHERE `product_special_id`=5;
DELETE FROM `oc_customer` WHERE `customer_id`=103;
UPDATE `oc_customer` SET `lastname`='O&#039;Hara' WHERE `customer_id`=104;
-- an order that is edited in the back office: its lines are deleted and inserted anew
START TRANSACTION;
DELETE FROM `oc_order_product` WHERE `order_id`=9001;
INSERT INTO `oc_order_product` VALUES (70011,9001,40,0,'Dark roast coffee','COFFEE-DARK',3,9.9900,29.9700,0.7000,0),(70012,9001,42,0,'Paper filters &amp; holder','FILTER-100',1,3.9900,3.9900,0.0000,0);
UPDATE `oc_order` SET `total`=33.9600, `date_modified`='2025-08-03 09:00:00' WHERE `order_id`=9001;
COMMIT;
DELETE FROM `oc_order_product` WHERE `order_id`=9002; DELETE FROM `oc_order` WHERE `order_id`=9002;
DELETE FROM `oc_product_description` WHERE `product_id`=41; DELETE FROM `oc_product` WHERE `product_id`=41;
